using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace AspireStreaming.ServiceDefaults;

internal static class ConsoleFormatExtensions
{
    /// <summary>One line an entry, with the UTC time; <c>Logging:Console</c> in configuration has the last word.</summary>
    public static void AddConsoleFormat(this IHostApplicationBuilder builder)
    {
        // In front of the console's own binding to configuration, which is registered already and would otherwise be overridden.
        // Unless the formatter is named, the console replaces its options by those of an obsolete API.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<ConsoleLoggerOptions>>(
            new ConfigureOptions<ConsoleLoggerOptions>(options => options.FormatterName = ConsoleFormatterNames.Simple)));
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<SimpleConsoleFormatterOptions>>(
            new ConfigureOptions<SimpleConsoleFormatterOptions>(options =>
            {
                options.SingleLine = true;
                options.UseUtcTimestamp = true;
                options.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            })));
    }
}
