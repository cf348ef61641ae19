import { words } from 'preamp-example-words'

document.getElementById('heading').textContent = words('The office')
