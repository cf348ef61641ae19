export default eventHandler((event) => {
  setResponseHeader(event, 'content-type', 'text/html; charset=utf-8');
  return `<!doctype html>
<html lang="en">
<title>Nitro on Preamp</title>
<h1>Nitro on Preamp</h1>
<p>For <b>${getRequestHost(event)}</b> by Node ${process.version}.</p>`;
});
