import express from 'express';

const app = express();

app.get('/', (request, response) => {
  response.send(`<!doctype html>
<html lang="en">
<title>Express on Preamp</title>
<link rel="stylesheet" href="/style.css">
<h1>Express on Preamp</h1>
<p>For <b>${request.headers.host}</b> by Node ${process.version}.</p>`);
});

app.get('/api/hello', (request, response) => {
  response.json({ hello: request.query.name ?? 'world' });
});

app.post('/api/count', (request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => (bytes += chunk.length));
  request.on('end', () => response.json({ bytes }));
});

app.get('/api/ticks', (request, response) => {
  response.type('text/event-stream');
  let count = 0;
  const timer = setInterval(() => response.write(`data: ${++count}\n\n`), 200);
  request.on('close', () => clearInterval(timer));
});

// Amplify's compute expects the server on port 3000.
app.listen(process.env.PORT ?? 3000);
