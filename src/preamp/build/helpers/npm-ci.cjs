// `check`: exit 0 when node_modules is provably what `npm ci` would install now; else 1.
// `record`: after a real `npm ci`, remember what it was made from and what it made.
//
// Provably: the same lock file, package.json files, npm settings, arguments, Node and npm; no script of a package
// but those known to keep to their own folder; and not one file of node_modules added, removed or changed since.
'use strict'
const fs = require('fs')
const path = require('path')
const crypto = require('crypto')

const MARK = 'node_modules/.preamp-npm-ci.json'
// packages whose install scripts neither read the project nor write outside of their own folder
const SELF_CONTAINED = new Set([
  'esbuild', 'fsevents', 'sharp', '@parcel/watcher', 'core-js', 'core-js-pure', 'core-js-bundle', '@swc/core',
  'unrs-resolver', 'workerd', 'protobufjs', 'es5-ext', '@tailwindcss/oxide', 'bufferutil', 'utf-8-validate',
  'msgpackr-extract', 'lmdb', 'styled-components', 'svelte-preprocess', 'iltorb', 'napi-postinstall',
])
const LIFECYCLE = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare']
// they install git hooks, which mean nothing in a build
const HOOKS = /^((is-ci|exit 0) \|\| )?(husky( install)?|lefthook install|simple-git-hooks)( \|\| (true|exit 0))?$/
const OTHER_PLACE = /^(--prefix|-C|-g|--global|--location|--dry-run|--json|-w|--workspace)(=|$)/

const [action, npm, ...args] = process.argv.slice(2)

function read(file) {
  try { return fs.readFileSync(file) } catch (error) { return null }
}

function key() {
  const lockName = ['npm-shrinkwrap.json', 'package-lock.json'].find((name) => fs.existsSync(name))
  if (!lockName || args.some((arg) => OTHER_PLACE.test(arg)) || fs.existsSync('binding.gyp')) return null
  const lock = JSON.parse(fs.readFileSync(lockName))
  if (!lock.packages) return null
  const hash = crypto.createHash('sha256')
  const add = (label, data) => hash.update(`\0${label}\0${data === null ? '' : data.length}\0`).update(data || '')
  for (const [place, entry] of Object.entries(lock.packages)) {
    const installed = place.startsWith('node_modules/')
    if (installed) {
      const name = place.slice(place.lastIndexOf('node_modules/') + 13)
      if (entry.hasInstallScript && !entry.link && !SELF_CONTAINED.has(name)) return null
      continue
    }
    if (place.startsWith('..') || path.isAbsolute(place) || place.includes('node_modules/')) return null
    const text = read(path.join(place, 'package.json'))
    if (text === null || fs.existsSync(path.join(place, 'binding.gyp'))) return null
    const scripts = JSON.parse(text).scripts || {}
    if (LIFECYCLE.some((name) => scripts[name] && !HOOKS.test(scripts[name].trim()))) return null
    add(`package ${place}`, text)
  }
  add('lock', fs.readFileSync(lockName))
  for (const file of ['.npmrc', path.join(process.env.HOME, '.npmrc'), process.env.NPM_CONFIG_GLOBALCONFIG]) {
    add('npmrc', file ? read(file) : null)
  }
  const settings = Object.keys(process.env).filter((name) => /^(npm_config_|NODE_ENV$)/i.test(name)).sort()
  for (const name of settings) add(name, process.env[name])
  const own = read(path.join(fs.realpathSync(npm), '../../package.json'))
  if (own === null) return null
  add('versions', [process.version, process.arch, JSON.parse(own).version].join(' '))
  add('arguments', JSON.stringify(args))
  return hash.digest('hex')
}

// Names, kinds, modes, sizes and times (whole seconds: what archives keep); not of tools' own folders.
function tree() {
  const hash = crypto.createHash('sha256')
  const pending = ['node_modules']
  while (pending.length) {
    const folder = pending.pop()
    const entries = fs.readdirSync(folder, { withFileTypes: true })
    entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const entry of entries) {
      if (folder === 'node_modules' && own(entry.name)) continue
      const place = `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        hash.update(`d ${place}\n`)
        pending.push(place)
      } else if (entry.isSymbolicLink()) {
        hash.update(`l ${place} ${fs.readlinkSync(place)}\n`)
      } else {
        const facts = fs.lstatSync(place)
        hash.update(`f ${place} ${facts.mode} ${facts.size} ${Math.floor(facts.mtimeMs / 1000)}\n`)
      }
    }
  }
  return hash.digest('hex')
}

function own(name) {
  return name.startsWith('.') && name !== '.bin' && name !== '.package-lock.json'
}

function check() {
  const text = read(MARK)
  if (text === null || fs.lstatSync('node_modules').isSymbolicLink()) return 1
  const mark = JSON.parse(text)
  if (mark.key !== key() || mark.tree !== tree()) return 1
  // `.cache` is where bundlers keep what they computed; of the rest nobody knows
  for (const name of fs.readdirSync('node_modules')) {
    if (own(name) && name !== '.cache' && `node_modules/${name}` !== MARK) {
      fs.rmSync(`node_modules/${name}`, { recursive: true, force: true })
    }
  }
  console.log(`kept ${mark.packages} packages: the cache has what npm ci would install (PREAMP_NPM_CI=real forbids it)`)
  return 0
}

function record() {
  const found = key()
  if (found === null) return 0
  const listed = read('node_modules/.package-lock.json')
  if (listed === null) return 0
  const packages = Object.keys(JSON.parse(listed).packages || {}).length
  fs.writeFileSync(MARK, JSON.stringify({ key: found, tree: tree(), packages }))
  return 0
}

try {
  process.exitCode = action === 'check' ? check() : record()
} catch (error) {
  // whatever is strange about the project, npm itself shall say it
  process.exitCode = 1
}
