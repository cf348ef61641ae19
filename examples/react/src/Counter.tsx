import { useState } from 'react'

/** A button that counts its clicks. */
export function Counter({ from }: { from: number }) {
  const [count, setCount] = useState(from)
  return <button onClick={() => setCount(count + 1)}>clicked {count} times</button>
}
