import { headers } from 'next/headers';
import Counter from './counter';

// Reading the headers of the request makes this page one that is rendered for each request.
export default async function Page() {
  const host = (await headers()).get('host');
  return (
    <>
      <h1>Rendered on the server</h1>
      <p className="card">
        For <b id="host">{host}</b> at <time>{new Date().toISOString()}</time>, by Node {process.version}.
      </p>
      <Counter />
    </>
  );
}
