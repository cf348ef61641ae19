import { mkdirSync, writeFileSync } from 'node:fs'
import { greeting } from './src/greeting.js'

mkdirSync('dist', { recursive: true })
writeFileSync('dist/index.html', `<!doctype html>\n<title>Tested</title>\n<h1>${greeting('Preamp')}</h1>\n`)
