module model-delivery/tests/web

go 1.24
