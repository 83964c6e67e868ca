import { expect, it } from 'vitest';
import { signedHeaders } from './signature.ts';

/** The worked example of AWS' documentation, "post-x-www-form-urlencoded" of its test suite for Signature Version 4. */
it('signs as the example of the test suite of AWS', () => {
  const { authorization } = signedHeaders({
    url: 'https://example.amazonaws.com/',
    body: 'Param1=value1',
    contentType: 'application/x-www-form-urlencoded',
    region: 'us-east-1',
    service: 'service',
    nowMs: Date.parse('2015-08-30T12:36:00Z'),
    credentials: {
      accessKey: 'AKIDEXAMPLE',
      secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
      sessionToken: '',
    },
  });
  expect(authorization).toBe(
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  );
});
