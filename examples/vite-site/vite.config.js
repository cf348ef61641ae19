import { defineConfig } from 'vite'

// Amplify's build environment describes the job; the page shows it.
const job = {
  app: process.env.AWS_APP_ID ?? 'local',
  branch: process.env.AWS_BRANCH ?? 'local',
  job: Number(process.env.AWS_JOB_ID ?? 0),
  commit: (process.env.AWS_COMMIT_ID ?? 'none').slice(0, 7),
  built: new Date().toISOString(),
  node: process.version,
}

export default defineConfig({
  define: { __JOB__: JSON.stringify(job) },
})
