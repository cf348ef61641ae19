export default function About() {
  return <h1>Also a file</h1>;
}
