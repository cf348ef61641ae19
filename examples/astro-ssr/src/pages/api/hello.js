export const GET = ({ url }) => Response.json({ hello: url.searchParams.get('name') ?? 'world' });
