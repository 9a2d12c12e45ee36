"""AWS as moto has it, with what moto leaves out of ECS: a scheduler that carries deployments out, and their records.

usage: ecs_server.py DIR   prints its address, and runs until it is killed

moto takes an UpdateService and changes no deployment, and knows no service deployments. Here a new task definition makes a new
primary deployment, one task is replaced at every tick, and the old deployment goes when it has no task. An image tagged `bad`
never starts: after three ticks the circuit breaker rolls back. Calls that change something are written to DIR/calls, and the next
call of the operation that DIR/refuse names is refused: `UpdateService ThrottlingException`.
"""

import pathlib
import sys
import threading
import time
import uuid

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs import models, responses
from moto.ecs.exceptions import EcsClientException, ECSException
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

Backend, Answers = models.EC2ContainerServiceBackend, responses.EC2ContainerServiceResponse
lock = threading.RLock()
records = {}  # service ARN -> its service deployments, newest first
folder = pathlib.Path(sys.argv[1])


def begin(service, definition, rolled_back=None):
    """A new primary deployment, with a record unless it is the rollback of one."""
    number = uuid.uuid4().hex
    now = utcnow()
    before = service.deployments[0] if service.deployments else None
    for deployment in service.deployments:
        deployment["status"] = "ACTIVE"
    service.task_definition = definition
    service.deployments.insert(0, {
        **(before or {}), "id": f"ecs-svc/{number}", "status": "PRIMARY", "taskDefinition": definition,
        "desiredCount": service.desired_count, "pendingCount": service.desired_count, "runningCount": 0,
        "failedTasks": 0, "createdAt": now, "updatedAt": now, "rolloutState": "IN_PROGRESS", "rolloutStateReason": "in progress"})
    if rolled_back is None:
        past = records.setdefault(service.arn, [])
        arn = service.arn.replace(":service/", ":service-revision/")
        past.insert(0, {
            "serviceDeploymentArn": service.arn.replace(":service/", ":service-deployment/") + f"/{number}",
            "serviceArn": service.arn, "clusterArn": service.cluster_arn, "createdAt": now, "status": "IN_PROGRESS",
            "targetServiceRevision": {"arn": f"{arn}/{number}"},
            "sourceServiceRevisions": [past[0]["targetServiceRevision"]] if past else [],
            "_deployment": f"ecs-svc/{number}", "_to": definition, "_from": before and before["taskDefinition"]})


def roll_back(service, reason):
    record = records[service.arn][0]
    record.update(status="ROLLBACK_IN_PROGRESS", statusReason=reason)
    begin(service, record["_from"], rolled_back=record)
    record["_deployment"] = service.deployments[0]["id"]


def tick(backend, service):
    primary, others = service.deployments[0], service.deployments[1:]
    if primary["rolloutState"] != "IN_PROGRESS":
        # More or fewer tasks of the same are no deployment.
        missing = service.desired_count - primary["runningCount"]
        primary["runningCount"] += (missing > 0) - (missing < 0)
        service.running_count = primary["runningCount"]
        return
    image = backend.describe_task_definition(primary["taskDefinition"]).container_definitions[-1]["image"]
    record = records[service.arn][0]
    if image.endswith(":bad"):
        primary["failedTasks"] += 1
        if primary["failedTasks"] >= 3 and record["status"] == "IN_PROGRESS":
            primary.update(rolloutState="FAILED", rolloutStateReason="tasks failed to start")
            roll_back(service, "the circuit breaker: tasks failed to start")
    elif primary["runningCount"] < service.desired_count:
        primary["runningCount"] += 1
        for other in others:
            if other["runningCount"] > 0:
                other["runningCount"] -= 1
                break
    else:
        service.deployments = [primary]
        primary.update(rolloutState="COMPLETED", rolloutStateReason="completed")
        record["status"] = {"IN_PROGRESS": "SUCCESSFUL"}.get(record["status"], "ROLLBACK_SUCCESSFUL")
    service.running_count = sum(deployment["runningCount"] for deployment in service.deployments)


def each_service():
    for account in list(models.ecs_backends):
        for region in list(models.ecs_backends[account]):
            backend = models.ecs_backends[account][region]
            for service in list(backend.services.values()):
                yield backend, service


def called(text):
    with open(folder / "calls", "a") as file:
        file.write(text + "\n")


def refused(name):
    file = folder / "refuse"
    if file.exists() and file.read_text().split()[0] == name:
        code = file.read_text().split()[1]
        file.unlink()
        raise ECSException(code, f"User is not authorized to perform: ecs:{name}" if "Denied" in code else "Rate exceeded")


update_in_moto, create_in_moto = Backend.update_service, Backend.create_service


def update_service(self, properties):
    with lock:
        wanted = properties.get("task_definition")
        called(f"UpdateService {wanted and wanted.split('/')[-1]}")
        refused("UpdateService")
        definition = self.describe_task_definition(wanted) if wanted else None
        if definition and definition.status != "ACTIVE":
            raise EcsClientException("TaskDefinition is inactive")
        service = update_in_moto(self, {**properties, "task_definition": None, "force_new_deployment": False})
        if definition and definition.arn != service.deployments[0]["taskDefinition"]:
            begin(service, definition.arn)
        return service


def create_service(self, *args, **kwargs):
    with lock:
        service = create_in_moto(self, *args, **kwargs)
        definition = self.describe_task_definition(service.task_definition).arn
        service.deployments = []
        begin(service, definition)
        return service


def wanted(self):
    name = self._get_param("service").split("/")[-1]
    return self.ecs_backend._get_service(self._get_param("cluster") or "default", name)


def shown(record):
    return {key: value for key, value in record.items() if not key.startswith("_")}


def list_service_deployments(self):
    with lock:
        refused("ListServiceDeployments")
        # One on each page, so that whoever reads one page only is found out.
        past = records.get(wanted(self).arn, [])
        at = int(self._get_param("nextToken") or 0)
        page = [{k: v for k, v in shown(record).items() if "Revision" not in k} for record in past[at:at + 1]]
        return ActionResult({"serviceDeployments": page, **({"nextToken": str(at + 1)} if at + 1 < len(past) else {})})


def describe_service_deployments(self):
    with lock:
        arns = self._get_param("serviceDeploymentArns")
        found = [shown(record) for past in records.values() for record in past if record["serviceDeploymentArn"] in arns]
        return ActionResult({"serviceDeployments": found, "failures": []})


def describe_service_revisions(self):
    with lock:
        arns = self._get_param("serviceRevisionArns")
        every = [record for past in records.values() for record in past]
        found = [{"serviceRevisionArn": record["targetServiceRevision"]["arn"], "taskDefinition": record["_to"]}
                 for record in every if record["targetServiceRevision"]["arn"] in arns]
        return ActionResult({"serviceRevisions": found, "failures": []})


def stop_service_deployment(self):
    with lock:
        arn = self._get_param("serviceDeploymentArn")
        called(f"StopServiceDeployment {self._get_param('stopType')}")
        for _, service in each_service():
            record = records[service.arn][0]
            if record["serviceDeploymentArn"] == arn and record["status"] in ("PENDING", "IN_PROGRESS"):
                roll_back(service, "stopped by a user")
                return ActionResult({"serviceDeploymentArn": arn})
        raise ECSException("ConflictException", "The service deployment cannot be stopped any more.")


Backend.update_service, Backend.create_service


def update_service(self, properties):
    with lock:
        wanted = properties.get("task_definition")
        called(f"UpdateService {wanted and wanted.split('/')[-1]}")
        refused("UpdateService")
        definition = self.describe_task_definition(wanted) if wanted else None
        if definition and definition.status != "ACTIVE":
            raise EcsClientException("TaskDefinition is inactive")
        service = update_in_moto(self, {**properties, "task_definition": None, "force_new_deployment": False})
        if definition and definition.arn != service.deployments[0]["taskDefinition"]:
            begin(service, definition.arn)
        return service


def create_service(self, *args, **kwargs):
    with lock:
        service = create_in_moto(self, *args, **kwargs)
        definition = self.describe_task_definition(service.task_definition).arn
        service.deployments = []
        begin(service, definition)
        return service


def wanted(self):
    name = self._get_param("service").split("/")[-1]
    return self.ecs_backend._get_service(self._get_param("cluster") or "default", name)


def shown(record):
    return {key: value for key, value in record.items() if not key.startswith("_")}


def list_service_deployments(self):
    with lock:
        refused("ListServiceDeployments")
        # One on each page, so that whoever reads one page only is found out.
        past = records.get(wanted(self).arn, [])
        at = int(self._get_param("nextToken") or 0)
        page = [{k: v for k, v in shown(record).items() if "Revision" not in k} for record in past[at:at + 1]]
        return ActionResult({"serviceDeployments": page, **({"nextToken": str(at + 1)} if at + 1 < len(past) else {})})


def describe_service_deployments(self):
    with lock:
        arns = self._get_param("serviceDeploymentArns")
        found = [shown(record) for past in records.values() for record in past if record["serviceDeploymentArn"] in arns]
        return ActionResult({"serviceDeployments": found, "failures": []})


def describe_service_revisions(self):
    with lock:
        arns = self._get_param("serviceRevisionArns")
        every = [record for past in records.values() for record in past]
        found = [{"serviceRevisionArn": record["targetServiceRevision"]["arn"], "taskDefinition": record["_to"]}
                 for record in every if record["targetServiceRevision"]["arn"] in arns]
        return ActionResult({"serviceRevisions": found, "failures": []})


def stop_service_deployment(self):
    with lock:
        arn = self._get_param("serviceDeploymentArn")
        called(f"StopServiceDeployment {self._get_param('stopType')}")
        for _, service in each_service():
            record = records[service.arn][0]
            if record["serviceDeploymentArn"] == arn and record["status"] in ("PENDING", "IN_PROGRESS"):
                roll_back(service, "stopped by a user")
                return ActionResult({"serviceDeploymentArn": arn})
        raise ECSException("ConflictException", "The service deployment cannot be stopped any more.")


def test_calls(self):
    with lock:
        refuse.extend((operation, code) for operation, code in (self._get_param("refuse") or {}).items())
        told = list(calls)
        calls.clear()
        return ActionResult({"calls": told})


Backend.update_service, Backend.create_service = update_service, create_service
for function in (list_service_deployments, describe_service_deployments, describe_service_revisions, stop_service_deployment):
    setattr(Answers, function.__name__, function)

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"listening on http://{host}:{port}", flush=True)
while True:
    time.sleep(0.1)
    with lock:
        for backend, service in each_service():
            if service.deployments and service.status == "ACTIVE":
                tick(backend, service)
