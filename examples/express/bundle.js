// Puts together what Amplify's deployment specification asks for, after `npm ci`.
import { cpSync, mkdirSync, rmSync } from 'node:fs';

const bundle = '.amplify-hosting';
const server = `${bundle}/compute/default`;

rmSync(bundle, { recursive: true, force: true });
mkdirSync(server, { recursive: true });
cpSync('src', server, { recursive: true });
cpSync('package.json', `${server}/package.json`);
cpSync('node_modules', `${server}/node_modules`, { recursive: true, verbatimSymlinks: true });
cpSync('public', `${bundle}/static`, { recursive: true });
cpSync('deploy-manifest.json', `${bundle}/deploy-manifest.json`);
