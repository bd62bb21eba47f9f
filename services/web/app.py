"""The desk as an ASGI application."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from services.security.errors import KeyDestroyed
from services.web import (
    alerts_page,
    call_page,
    calls_page,
    duty_page,
    live,
    sign_in,
    users_page,
)
from services.web.desk import Desk, DeskServices
from services.web.protection import Protection
from services.web.visitors import NotSignedIn

_EXPLAINED = (403, 404, 410, 422, 500)


def create(services: DeskServices) -> FastAPI:
    """Make the desk.

    Serve it with one process, behind a proxy that ends TLS (its ``X-Forwarded-Proto`` makes the
    session cookie secure), and without an access log: the set-up link carries its token.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk = Desk(services)
    app.add_middleware(Protection)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    for page in (sign_in, alerts_page, calls_page, call_page, duty_page, users_page, live):
        app.include_router(page.router)
    app.add_exception_handler(NotSignedIn, _ask_to_sign_in)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(KeyDestroyed, _erased)
    app.add_exception_handler(Exception, _broken)
    return app


async def _ask_to_sign_in(request: Request, _: Exception) -> Response:
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    if "text/html" not in request.headers.get("accept", ""):
        return _error_page(request, 401)
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" + (f"?next={quote(path)}" if path != "/" else ""), 303)


async def _refuse(request: Request, error: Exception) -> Response:
    return _error_page(request, error.status_code if isinstance(error, HTTPException) else 500)


async def _malformed(request: Request, _: Exception) -> Response:
    return _error_page(request, 422)


async def _erased(request: Request, _: Exception) -> Response:
    return _error_page(request, 410)


async def _broken(request: Request, _: Exception) -> Response:
    return _error_page(request, 500)


def _error_page(request: Request, status: int) -> Response:
    explained = status if status in _EXPLAINED else 500 if status >= 500 else 404
    return Desk.of(request).page(request, "error.html", status, explained=explained, status=status)
