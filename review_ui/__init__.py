"""The reviewer's web pages over a queue: `create_app` to serve them, `router` to mount them."""

from review_ui.app import create_app, router

__all__ = ["create_app", "router"]
