import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Counter } from './Counter'
import './style.css'

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <h1>React on Preamp</h1>
    <Counter from={1} />
  </StrictMode>,
)
