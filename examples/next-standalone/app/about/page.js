export default function About() {
  return <h1>Rendered when it was built</h1>;
}
