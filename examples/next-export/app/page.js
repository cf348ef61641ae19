import Link from 'next/link';

export default function Page() {
  return (
    <>
      <h1>Exported as files</h1>
      <Link href="/about">About</Link>
    </>
  );
}
