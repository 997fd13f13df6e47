"""Celery's room: its tasks are shells around the engine and the ingestion."""
