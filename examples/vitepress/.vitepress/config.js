export default {
  title: 'VitePress on Preamp',
  description: 'A documentation site',
  cleanUrls: true,
  themeConfig: { sidebar: [{ text: 'Guide', items: [{ text: 'Start', link: '/guide/start' }] }] },
}
