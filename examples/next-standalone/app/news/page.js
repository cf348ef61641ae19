export const revalidate = 2;

export default function News() {
  return (
    <>
      <h1>Rendered again every two seconds</h1>
      <time>{new Date().toISOString()}</time>
    </>
  );
}
