export default defineEventHandler((event) => ({
  hello: getQuery(event).name ?? 'world',
  node: process.version,
}));
