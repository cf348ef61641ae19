export default eventHandler((event) => ({ hello: getQuery(event).name ?? 'world' }));
