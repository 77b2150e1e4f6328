using System.Buffers;
using System.Diagnostics;
using AspireStreaming.Client.Diagnostics;
using AspireStreaming.Client.Http;
using AspireStreaming.Client.Publishing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace AspireStreaming.Client;

/// <summary>
/// Appends events to streams. Every event has an id before it is sent, so a request whose answer was lost is repeated without
/// appending anything twice; requests are repeated while the service is away or busy, no sooner than it asks. Thread-safe.
/// </summary>
public sealed class EventPublisher
{
    private readonly PublisherClient _client;
    private readonly EventWriter _writer;
    private readonly StreamingClientOptions _options;
    private readonly ILogger _logger;

    /// <summary>A publisher on a connection that stays the caller's.</summary>
    /// <param name="http">Its base address, if it has one, is the Publisher API's; else <see cref="StreamingClientOptions.PublisherUrl"/>.</param>
    /// <param name="options">Credentials and limits; null = the defaults.</param>
    /// <param name="time">The clock; null = the system's.</param>
    /// <param name="logger">Told of retries.</param>
    public EventPublisher(
        HttpClient http, StreamingClientOptions? options = null, TimeProvider? time = null, ILogger<EventPublisher>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(http);
        _options = options ?? new StreamingClientOptions();
        _options.Validate();
        _client = new PublisherClient(new ServiceConnection(http, _options.PublisherUrl, _options, time ?? TimeProvider.System));
        _writer = new EventWriter(_options.Source, _options.PropagateTraceContext);
        _logger = logger ?? NullLogger<EventPublisher>.Instance;
    }

    /// <summary>Appends one event.</summary>
    /// <exception cref="ApiException">The service refuses it.</exception>
    /// <exception cref="ServiceUnreachableException">The service stayed away; the event may or may not be there.</exception>
    public async Task<PublishReceipt> PublishAsync(
        string stream, NewEvent item, PublishOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var activity = Start(stream, 1);
        var body = new ArrayBufferWriter<byte>(512);
        _writer.Write(body, item);
        return await SendAsync(stream, body.WrittenMemory, MediaTypes.Json, 1, options ?? new PublishOptions(), activity, cancellationToken);
    }

    /// <summary>Appends a batch of up to 1,000 events and 4 MiB: all of them, or none.</summary>
    /// <inheritdoc cref="PublishAsync(string, NewEvent, PublishOptions?, CancellationToken)"/>
    public async Task<PublishReceipt> PublishAsync(
        string stream, IReadOnlyCollection<NewEvent> events, PublishOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentOutOfRangeException.ThrowIfZero(events.Count);
        using var activity = Start(stream, events.Count);
        var body = new ArrayBufferWriter<byte>(events.Count * 256);
        var separator = "["u8.ToArray();
        foreach (var item in events)
        {
            body.Write(separator);
            _writer.Write(body, item);
            separator[0] = (byte)',';
        }

        body.Write("]"u8);
        return await SendAsync(
            stream, body.WrittenMemory, MediaTypes.Json, events.Count, options ?? new PublishOptions(), activity, cancellationToken);
    }

    /// <summary>
    /// Appends events as they come, for as long as they come: what is ready goes out together, one request after another, so the order
    /// stays and memory is bounded. Acknowledged events stay appended when a later one fails;
    /// <see cref="PublishOptions.Acknowledged"/> tells how far it got.
    /// </summary>
    /// <returns>All of it together; null when there was no event.</returns>
    /// <inheritdoc cref="PublishAsync(string, NewEvent, PublishOptions?, CancellationToken)"/>
    public Task<PublishReceipt?> PublishAsync(
        string stream, IAsyncEnumerable<NewEvent> events, PublishOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(events);
        StreamName.ThrowIfInvalid(stream);
        return new EventUpload(_writer, SendChunkAsync, stream, options ?? new PublishOptions()).RunAsync(events, cancellationToken);
    }

    /// <summary>
    /// Appends what is JSON already: one event, or an array of up to 1,000. Each should have an id of its own, for this request is
    /// repeated like the others.
    /// </summary>
    /// <inheritdoc cref="PublishAsync(string, NewEvent, PublishOptions?, CancellationToken)"/>
    public async Task<PublishReceipt> PublishJsonAsync(
        string stream, ReadOnlyMemory<byte> events, PublishOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var activity = Start(stream, null);
        return await SendAsync(stream, events, MediaTypes.Json, null, options ?? new PublishOptions(), activity, cancellationToken);
    }

    /// <summary>Deletes a stream; live subscribers get <see cref="EndNotice"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="archive">Also from the archive.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when it is unknown.</returns>
    /// <exception cref="ApiException">The service refuses.</exception>
    /// <exception cref="ServiceUnreachableException">The service stayed away.</exception>
    public async Task<bool> DeleteAsync(string stream, bool archive = false, CancellationToken cancellationToken = default)
    {
        StreamName.ThrowIfInvalid(stream);
        var attempts = 0;
        return await CreateRetry().RunAsync(
            async token =>
            {
                attempts++;

                // Unknown now, after an attempt whose answer was lost: that attempt deleted it.
                return await _client.DeleteAsync(stream, archive, token) || attempts > 1;
            },
            cancellationToken);
    }

    private static Activity? Start(string stream, int? count)
    {
        StreamName.ThrowIfInvalid(stream);
        var activity = ClientDiagnostics.Source.StartActivity("publish", ActivityKind.Producer);
        activity?.SetTag("messaging.system", ClientDiagnostics.System)
            .SetTag("messaging.operation.type", "send")
            .SetTag("messaging.destination.name", stream)
            .SetTag("messaging.batch.message_count", count);
        return activity;
    }

    private async Task<PublishReceipt> SendChunkAsync(
        string stream, ReadOnlyMemory<byte> lines, int count, PublishOptions options, CancellationToken cancellationToken)
    {
        using var activity = Start(stream, count);
        return await SendAsync(stream, lines, MediaTypes.Ndjson, count, options, activity, cancellationToken);
    }

    private async Task<PublishReceipt> SendAsync(
        string stream,
        ReadOnlyMemory<byte> events,
        string mediaType,
        int? count,
        PublishOptions options,
        Activity? activity,
        CancellationToken cancellationToken)
    {
        var time = _client.Service.Time;
        var started = time.GetTimestamp();
        try
        {
            var receipt = await CreateRetry().RunAsync(
                token => _client.PublishAsync(stream, events, mediaType, options, token), cancellationToken);
            if (count is { } sent && receipt.Accepted + receipt.Duplicates != sent)
            {
                throw new InvalidDataException(
                    $"{_client.Service.Url} acknowledged {receipt.Accepted + receipt.Duplicates} events of {sent}.");
            }

            ClientMetrics.Published.Add(receipt.Accepted + receipt.Duplicates);
            ClientMetrics.Duplicates.Add(receipt.Duplicates);
            return receipt;
        }
        catch (Exception exception)
        {
            activity.Fail(exception);
            throw;
        }
        finally
        {
            ClientMetrics.PublishDuration.Record(time.GetElapsedTime(started).TotalSeconds);
        }
    }

    private Retry CreateRetry() => new(_options.RetryFor, _client.Service.Time, (fault, delay) => _options.ReportRetry(_logger, fault, delay));
}
