import { defineConfig } from 'astro/config'

// images are as they are: nothing has to be converted
export default defineConfig({ image: { service: { entrypoint: 'astro/assets/services/noop' } } })
