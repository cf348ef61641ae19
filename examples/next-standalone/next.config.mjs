export default {
  output: 'standalone',
  images: { formats: ['image/webp'] },
};
