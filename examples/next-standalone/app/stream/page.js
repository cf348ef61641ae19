import { Suspense } from 'react';

export const dynamic = 'force-dynamic';

async function Slow() {
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return <p className="card">and this a second and a half later.</p>;
}

export default function Stream() {
  return (
    <>
      <h1>Streamed</h1>
      <p>This came at once,</p>
      <Suspense fallback={<p>…</p>}>
        <Slow />
      </Suspense>
    </>
  );
}
