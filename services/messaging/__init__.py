"""MQTT: what is published, its schemas, the client and the embedded broker."""
