"""moto with all that it lacks for this application, served over HTTP. Importing it changes moto: only a server does."""

from __future__ import annotations

import functools
import os
from threading import Thread

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from devcloud.local import (
    alarm_resources,
    awslambda,
    calls,
    cloudformation,
    dynamodb,
    glue,
    glue_catalog,
    glue_resources,
    glue_sessions,
    object_ranges,
    s3,
    secret_resources,
    sns,
    stepfunctions,
)
from devcloud.local.environment import aws_environment
from devcloud.local.patching import wrap
from devcloud.local.state_folder import StateFolder

# moto collects CloudFormation types from the subclasses that exist; the import is the declaration.
DECLARED = (glue_resources.GlueJob, glue_resources.GlueDatabase, secret_resources.Secret, alarm_resources.Alarm)


class EmulatedCloud:
    """All services in this process, on one port of the loopback address."""

    def __init__(self, folder: StateFolder, *, port: int, record_calls: bool = False) -> None:
        application: calls.Wsgi = DomainDispatcherApplication(create_backend_app)
        self._recorder = calls.Recorder(application, folder.calls) if record_calls else None
        self._server = make_server(
            "127.0.0.1", port, self._recorder or application, threaded=True, request_handler=MotoRequestHandler
        )
        self.port = self._server.server_port
        endpoint = f"http://localhost:{self.port}"
        # moto's services call each other through this port.
        os.environ["MOTO_PORT"] = str(self.port)
        os.environ.update(aws_environment(endpoint))
        self._functions = awslambda.Functions(folder, endpoint=endpoint)
        self._runs = glue.JobRuns(folder, endpoint=endpoint, jvm_per_role=record_calls)
        self._sessions = glue_sessions.Sessions(folder, self._runs.jvms, endpoint=endpoint)
        self._install(folder)
        self._thread = Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    def _install(self, folder: StateFolder) -> None:
        # Until moto looks up its services once: it walks through its folders in each request, one request at a time.
        wrap(backends, "list_of_moto_modules", lambda original: functools.cache(lambda: tuple(original())))
        cloudformation.install()
        awslambda.install(self._functions)
        s3.install(self._functions)
        object_ranges.install()
        stepfunctions.install()
        glue.install(self._runs)
        glue_sessions.install(self._sessions)
        glue_catalog.install()
        dynamodb.install()
        sns.install(folder)

    def close(self) -> None:
        """End sessions, job runs, JVMs and workers first, so that nothing of theirs is half served."""
        self._sessions.close()
        self._runs.close()
        self._functions.close()
        self._server.shutdown()
        self._server.server_close()
        if self._recorder is not None:
            self._recorder.close()
