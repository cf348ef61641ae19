export const metadata = { title: 'Next.js, exported, on Preamp' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
