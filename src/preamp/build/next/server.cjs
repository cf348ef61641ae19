// Starts the Next.js server of this bundle. Written by Preamp after `next build`.
'use strict';
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const app = path.join(__dirname, BUNDLE.app);
const built = path.join(app, BUNDLE.output) + path.sep;
const scratch = path.join(os.tmpdir(), 'next') + path.sep;

// The bundle cannot be written. What Next.js writes into its own output, which are pages that it makes again and
// images that it made smaller, goes to a scratch folder, where it is looked for first.
const moved = (file) => {
  const whole = typeof file === 'string' ? path.resolve(file) : '';
  return whole.startsWith(built) ? scratch + whole.slice(built.length) : null;
};
for (const name of ['mkdir', 'writeFile', 'rm', 'rmdir', 'unlink']) {
  const original = fs.promises[name];
  fs.promises[name] = (file, ...rest) => original(moved(file) ?? file, ...rest);
}
for (const name of ['rename', 'link']) {
  const original = fs.promises[name];
  fs.promises[name] = (from, to) => original(moved(from) ?? from, moved(to) ?? to);
}
for (const name of ['readFile', 'readdir', 'stat', 'access']) {
  const original = fs.promises[name];
  fs.promises[name] = async (file, ...rest) => {
    const fresh = moved(file);
    if (fresh !== null) {
      try {
        return await original(fresh, ...rest);
      } catch (error) {
        if (error.code !== 'ENOENT') throw error;
      }
    }
    return original(file, ...rest);
  };
}

const statfs = fs.promises.statfs;
fs.promises.statfs = (file, ...rest) => statfs(moved(file) === null ? file : os.tmpdir(), ...rest);

process.env.NODE_ENV = 'production';
process.env.PORT ??= '3000';
process.chdir(app);
if (BUNDLE.standalone) {
  import(pathToFileURL(path.join(app, 'server.js')).href);
} else {
  // As the server.js of a standalone build does it: next.config.js has been read when it was built.
  const { config } = JSON.parse(fs.readFileSync(path.join(built, 'required-server-files.json'), 'utf8'));
  process.env.__NEXT_PRIVATE_STANDALONE_CONFIG = JSON.stringify(config);
  const next = require.resolve('next/dist/bin/next', { paths: [app] });
  process.argv = [process.argv[0], next, 'start', app, '--port', process.env.PORT];
  require(next);
}
