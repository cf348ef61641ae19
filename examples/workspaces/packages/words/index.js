export const words = (name) => `${name} on Preamp`
