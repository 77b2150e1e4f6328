using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AspireStreaming.Transport;

/// <summary>Registers the transport.</summary>
public static class EventLoopExtensions
{
    /// <summary>
    /// Lets connections be received from and served by threads of their own, where the system can do that (Linux). What serves them must
    /// not block: others wait for the same thread.
    /// </summary>
    /// <param name="services">The services of a program with Kestrel, whose socket options hold.</param>
    /// <param name="loops">How many threads; 0 leaves everything to the server's own transport.</param>
    public static void AddEventLoops(this IServiceCollection services, int loops)
    {
        if (loops > 0 && OperatingSystem.IsLinux())
        {
            services.AddSingleton<IConnectionListenerFactory>(provider => new EventLoopTransport(
                provider.GetRequiredService<IMemoryPoolFactory<byte>>(),
                provider.GetRequiredService<IOptions<SocketTransportOptions>>(),
                loops));
        }
    }
}
