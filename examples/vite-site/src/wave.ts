/** Three sine waves that run, or stand still for those who asked for less motion. */
export function drawWave(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches
  const colours = ['#ff9f43', '#5f6bff', '#2ad1c9']

  function frame(time: number): void {
    const { width, height } = canvas
    context!.clearRect(0, 0, width, height)
    colours.forEach((colour, index) => {
      context!.beginPath()
      context!.strokeStyle = colour
      context!.lineWidth = 3
      for (let x = 0; x <= width; x += 4) {
        const fade = Math.sin((Math.PI * x) / width)
        const angle = x / (46 + 14 * index) + time / (700 + 240 * index) + index
        const y = height / 2 + fade * (height / 2 - 8) * Math.sin(angle)
        if (x === 0) context!.moveTo(x, y)
        else context!.lineTo(x, y)
      }
      context!.stroke()
    })
    if (!still) requestAnimationFrame(frame)
  }

  frame(0)
}
