"""The name `replay`: recorded answers, which `evalkit score` reads. Nothing is started."""
