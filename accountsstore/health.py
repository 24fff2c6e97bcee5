"""Is the store well? `/api/health/live`: the process answers. `/api/health`: so do the servers it stands on."""

from django.http import HttpRequest, JsonResponse

from accountsstore.servers import servers_asked


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 with every part "ok", or 503 with the error of each part that is ill. Seconds at most: see `Server.ask`."""
    parts = {server.name: type(error).__name__ if error else "ok" for server, error in servers_asked()}
    well = all(part == "ok" for part in parts.values())
    return JsonResponse({"status": "ok" if well else "ill", "parts": parts}, status=200 if well else 503)
