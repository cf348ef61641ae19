export default function (config) {
  config.addPassthroughCopy('src/style.css')
  return { dir: { input: 'src', includes: '_includes' } }
}
