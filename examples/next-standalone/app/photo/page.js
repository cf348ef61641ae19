import Image from 'next/image';

export default function Photo() {
  return (
    <>
      <h1>An image, made smaller on the way</h1>
      <Image src="/hills.png" alt="Hills" width={384} height={192} />
    </>
  );
}
