"""The AMQP 0-9-1 wire as the RabbitMQ adapter needs it: few calls, few allocations, no task for a message."""
