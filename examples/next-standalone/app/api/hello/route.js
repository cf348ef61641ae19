export async function GET(request) {
  return Response.json({ hello: new URL(request.url).searchParams.get('name') ?? 'world' });
}

export async function POST(request) {
  return Response.json({ bytes: (await request.arrayBuffer()).byteLength });
}
