import { NextResponse } from 'next/server';

export function middleware(request) {
  const answer = NextResponse.next();
  answer.headers.set('x-seen-by-middleware', request.nextUrl.pathname);
  return answer;
}

export const config = { matcher: ['/((?!_next/).*)'] };
