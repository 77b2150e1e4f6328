using System.Text.Json;
using Microsoft.Extensions.Hosting;

namespace AspireStreaming.Client.Tests;

// What follows stands in README.md, word for word.
public sealed class Assistant(EventPublisher publisher, EventSubscriber subscriber) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Every event gets an id before it is sent: a retry after a lost answer appends nothing twice.
        await publisher.PublishAsync("run-42", NewEvent.Json("token", new { text = "Hello" }), cancellationToken: stoppingToken);
        await publisher.PublishAsync("run-42", new NewEvent("WORKFLOW_COMPLETED"), cancellationToken: stoppingToken);

        // Past events, then live ones. After any break it goes on where it was; a loss would be an exception, never silence.
        await foreach (var item in subscriber.SubscribeAsync("run-42", cancellationToken: stoppingToken))
        {
            Console.WriteLine($"{item.Position} {item.Type} {item.ReadData<JsonElement?>()}");
        }
    }
}
