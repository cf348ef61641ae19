export const greeting = (name) => `Hello, ${name}, you were tested`
