export const load = ({ request }) => ({ host: request.headers.get('host'), node: process.version });
