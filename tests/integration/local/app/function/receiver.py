"""Notes each delivery in the ledger, and starts an execution; keys with `fail` in them always end in an error."""

import json
import os
import urllib.parse

import boto3

CALLS = {"made": 0}
machines = boto3.client("stepfunctions")
ledger = boto3.resource("dynamodb").Table(os.environ["LEDGER"])


def handle(event, context):
    CALLS["made"] += 1
    if "Records" not in event:
        return {"made": CALLS["made"], "greeting": os.environ["GREETING"], "request_id": context.aws_request_id}
    for record in event["Records"]:
        described = record["s3"]["object"]
        key = urllib.parse.unquote_plus(described["key"])
        print("received", key)
        ledger.update_item(
            Key={"id": key},
            UpdateExpression="SET notice = :record ADD deliveries :one",
            ExpressionAttributeValues={":record": json.dumps(record), ":one": 1},
        )
        if "fail" in key:
            raise ValueError("told to fail")
        machines.start_execution(
            stateMachineArn=os.environ["MACHINE"],
            name=described["sequencer"],
            input=json.dumps({"key": key}),
        )
    return None
