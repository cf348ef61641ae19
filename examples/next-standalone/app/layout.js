import './style.css';

export const metadata = { title: 'Next.js on Preamp' };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <a href="/">Now</a> <a href="/about">About</a> <a href="/news">News</a>{' '}
          <a href="/stream">Stream</a> <a href="/photo">Photo</a>
        </nav>
        <main>{children}</main>
      </body>
    </html>
  );
}
