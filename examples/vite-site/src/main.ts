import './style.css'
import { drawWave } from './wave'

interface Job {
  app: string
  branch: string
  job: number
  commit: string
  built: string
  node: string
}

declare const __JOB__: Job

const facts: [string, string][] = [
  ['app', __JOB__.app],
  ['branch', __JOB__.branch],
  ['job', String(__JOB__.job)],
  ['commit', __JOB__.commit],
  ['built', __JOB__.built.replace('T', ' ').slice(0, 16) + ' UTC'],
  ['node', __JOB__.node],
]

const list = document.querySelector<HTMLDListElement>('#facts')!
for (const [name, value] of facts) {
  const group = document.createElement('div')
  const term = document.createElement('dt')
  const text = document.createElement('dd')
  term.textContent = name
  text.textContent = value
  group.append(term, text)
  list.append(group)
}

drawWave(document.querySelector<HTMLCanvasElement>('#wave')!)
