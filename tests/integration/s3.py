#!/usr/bin/env python3
"""Speaks S3 as no part of Graft does, so that tests have a second opinion.

    s3.py METHOD PATH?QUERY [BODY]    one signed request to $RGW_ENDPOINT; prints the answer's body

Exits with 1 when the status is no success, after printing it to standard error.
"""
import datetime
import hashlib
import hmac
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


def sign(method, url, body):
    parts = urllib.parse.urlsplit(url)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(headers)
    canonical = "\n".join([method, parts.path, parts.query, *(f"{n}:{v}" for n, v in headers.items()),
                           "", names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}")
    return headers


def main():
    method, path, body = sys.argv[1], sys.argv[2], " ".join(sys.argv[3:]).encode()
    url = os.environ["RGW_ENDPOINT"] + path
    request = urllib.request.Request(url, data=body or None, method=method,
                                     headers=sign(method, url, body))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            sys.stdout.write(answer.read().decode())
    except urllib.error.HTTPError as error:
        sys.exit(f"s3.py: {error.code}: {error.read().decode()}")


main()
