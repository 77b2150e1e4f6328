using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Grpc.AspNetCore.Server;
using Grpc.Net.Client;

namespace AspireStreaming.Grpc.Tests;

/// <summary>
/// The server and the client are compiled packages: what they reference of Grpc.Core.Api and Grpc.Net.Common and do not find would
/// fail only when a call reaches it.
/// </summary>
public sealed class PackageSurfaceTests
{
    public static TheoryData<Type> PackageTypes => [typeof(GrpcServiceOptions), typeof(GrpcChannel)];

    [Theory]
    [MemberData(nameof(PackageTypes))]
    public void Package_loads_every_type_and_finds_every_member_that_it_references(Type packageType)
    {
        var module = packageType.Module;
        using var image = new PEReader(File.OpenRead(module.Assembly.Location));
        var metadata = image.GetMetadataReader();

        Assert.NotEmpty(module.GetTypes());
        var missing = new List<string>();
        var checkedCount = 0;
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (member.Parent.Kind is HandleKind.TypeReference or HandleKind.TypeSpecification)
            {
                checkedCount++;
                if (!Resolves(module, MetadataTokens.GetToken(handle)))
                {
                    missing.Add($"{metadata.GetString(member.Name)} (0x{MetadataTokens.GetToken(handle):X8})");
                }
            }
        }

        Assert.InRange(checkedCount, 100, int.MaxValue);
        Assert.Empty(missing);
    }

    private static bool Resolves(Module module, int token)
    {
        // Stand in for the type and method parameters that a reference may mention.
        Type[] arguments = [typeof(object), typeof(object), typeof(object), typeof(object)];
        try
        {
            return module.ResolveMember(token, arguments, arguments) is not null;
        }
        catch (Exception exception) when (exception is MissingMemberException or TypeLoadException)
        {
            // A constraint that object does not meet says nothing of the member.
            return exception is TypeLoadException and not EntryPointNotFoundException
                && exception.Message.Contains("constraint", StringComparison.Ordinal);
        }
        catch (ArgumentException exception) when (exception.InnerException is null)
        {
            return exception.Message.Contains("constraint", StringComparison.Ordinal);
        }
    }
}
