import { execFileSync } from 'node:child_process'
import { defineConfig } from 'vite'

// AWS_COMMIT_ID is HEAD unless a job asks for a certain commit; the clone knows which one that is.
function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return process.env.AWS_COMMIT_ID ?? 'unknown'
  }
}

// Amplify's build environment describes the job; the page shows it.
const job = {
  app: process.env.AWS_APP_ID ?? 'local',
  branch: process.env.AWS_BRANCH ?? 'local',
  job: Number(process.env.AWS_JOB_ID ?? 0),
  commit: commit(),
  built: new Date().toISOString(),
  node: process.version,
}

export default defineConfig({
  define: { __JOB__: JSON.stringify(job) },
})
